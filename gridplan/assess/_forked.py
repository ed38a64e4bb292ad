"""Imported last by the process that workers are forked from: what is imported stays, so no collection need look at it.

Work makes many tables that are freed as soon as they are not needed any more, and few rings; looking for these took a twentieth
of the time.
"""

import gc

gc.freeze()
gc.set_threshold(100_000, 50, 100)
