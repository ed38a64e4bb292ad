from gridplan.needs._find import find, first_years
