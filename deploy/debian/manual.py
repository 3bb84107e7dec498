"""The manual page tidegate-edge(1), made of the verbs that the command has."""

from datetime import date

from edge.cli import VERBS

_PAGE = r""".\" Made from the table of verbs; every verb's own page is its --help.
.TH TIDEGATE-EDGE 1 "{day}" "Tidegate {version}" "User Commands"
.SH NAME
tidegate\-edge \- gateway for sensors: MQTT in, anomalies found, nothing lost on the way
.SH SYNOPSIS
.B tidegate\-edge
.RI [ \-\-home " FOLDER]"
.I COMMAND
.RI [ ARGUMENT ...]
.SH DESCRIPTION
Tidegate takes what sensors publish by MQTT, finds anomalies where they arise, keeps everything in
an encrypted buffer, and brings it to a cloud that makes history of it.
.PP
The package runs it as the service
.BR tidegate\-edge .
What root calls without
.B \-\-home
becomes the user
.BR tidegate\-edge ,
which the service runs as.
.SH COMMANDS
Each tells what it takes with
.BR \-\-help .
{verbs}
.SH FILES
.TP
.I /var/lib/tidegate\-edge
Everything of this gateway: settings
.RI ( edge.toml ),
identity, keys, and the buffer. Removing the package keeps it, purging deletes it.
.TP
.I /etc/default/tidegate\-edge
Environment of the service and of the command.
.SH ENVIRONMENT
.TP
.B TIDEGATE_EDGE_HOME
Another home than
.IR /var/lib/tidegate\-edge ;
who names one runs as who he is.
.SH EXIT STATUS
0 done, 2 settings or arguments, 3 something did not answer, 4 the other side refused, 5 storage,
70 a fault of Tidegate, 130 interrupted.
.SH SEE ALSO
.BR mosquitto (8),
.BR systemctl (1)
"""


def page(version: str, day: date) -> str:
    """The page as man(7) reads it."""
    verbs = "\n".join(f".TP\n.B {_literal(name)}\n{_literal(does)}" for name, does in VERBS.items())
    return _PAGE.format(version=version, day=day.isoformat(), verbs=verbs)


def _literal(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
