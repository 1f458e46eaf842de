"""What every test may rely on."""

from __future__ import annotations

import signal

# A shell starts background jobs with Ctrl-C ignored, and every process below them inherits that.
# Tests send it, so they need it to mean what it means at a terminal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
