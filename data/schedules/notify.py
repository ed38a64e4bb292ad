"""Mail what a batch has to say, for `on_failure` and `on_success` in runs.toml; the standard library is enough.

What happened stands in the environment. Texts from notebooks and studies go into the mail as they are: no shell reads them.
"""

import os
import smtplib
from email.message import EmailMessage

SERVER, SENDER, RECEIVER = "mail.example.org", "gridplan@example.org", "planning@example.org"


def message(environment: dict[str, str]) -> EmailMessage:
    """Write the mail of a batch."""
    mail = EmailMessage()
    failed, count = environment["GRIDPLAN_FAILED"], environment["GRIDPLAN_RUNS"]
    title = " ".join(environment["GRIDPLAN_TITLE"].split())
    mail["Subject"] = f"{title}: {environment['GRIDPLAN_OUTCOME']}, {failed} of {count} runs not complete"
    mail["From"], mail["To"] = SENDER, RECEIVER
    mail.set_content(f"{environment['GRIDPLAN_MESSAGE'] or 'All runs are complete.'}\n\n{environment['GRIDPLAN_INDEX']}\n")
    return mail


if __name__ == "__main__":
    with smtplib.SMTP(SERVER) as server:
        server.send_message(message(dict(os.environ)))
