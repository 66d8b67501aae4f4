# SPDX-License-Identifier: Apache-2.0
"""What a demo shows: steps that are printed as they are checked."""


class Steps:
    """Remembers whether all of them were right."""

    def __init__(self):
        self.failed = 0

    def check(self, what, good, detail=""):
        print(f"  {'ok  ' if good else 'FAIL'} {what}" + (f"\n       {detail.strip()}" if detail else ""), flush=True)
        self.failed += not good

    def verdict(self):
        """Says it; the exit status."""
        print("All of it worked." if not self.failed else f"{self.failed} step(s) failed.")
        return 1 if self.failed else 0
