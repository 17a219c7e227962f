"""What becomes of one job's incidents, in few lines: all is kept, and all is looked at."""


class IncidentModel:
    """`days`: the numbers of the slots that the open incident counts; none: none is open.

    `looks_back`: so many of the newest slots are asked whether it has healed.
    """

    def __init__(self, tolerate, recover_after, looks_back):
        self.tolerate, self.recover_after = tolerate, recover_after
        self.looks_back = looks_back
        self.good, self.bad = set(), set()
        self.verdicts, self.openings = {}, []
        self.days, self.told_of, self.flapping = set(), set(), False

    def judge(self, number, verdict, *, is_quiet=False):
        """Give a slot its verdict; return what people are told."""
        before = self.verdicts.get(number)
        if before is not None and before.good and number not in self.days:
            self.told_of -= {number}
        self.verdicts[number] = verdict
        self.good -= {number}
        self.bad -= {number}
        if not is_quiet:
            self.good |= {number} if verdict.good else set()
            self.bad |= {number} if verdict.bad else set()
        told = self._one(number)
        if number in self.bad and told is not None:
            for newer in sorted(each for each in self.verdicts if each > number):
                told += self._one(newer) or []
        return told or []

    def _one(self, number):
        if number in self.bad - self.told_of:
            row = {number} if self.days else self._row(number)
            told = [] if self.days else self._opening(row)
            if told is not None:
                self.told_of |= row
                self.days |= row
            return told
        if number in self.good and self.days and self._heals(number):
            self.days = set()
            return ["recovered"]
        return None

    def _opening(self, row):
        """Say what is told of a row of bad slots; None: it is tolerated."""
        if len(row) <= self.tolerate:
            return None
        newest_ten = sorted(self.good | self.bad)[-10:]
        self.flapping = sum(first >= newest_ten[0] for first in self.openings) >= 2
        self.openings.append(min(row))
        return ["flapping" if self.flapping else "opened"]

    def _heals(self, number):
        looked_at = sorted(self.good | self.bad)[-self.looks_back :]
        after = row = 0
        for each in (each for each in looked_at if each > max(self.days)):
            row = row + 1 if each in self.good else 0
            after = max(after, row)
        if self.flapping:
            return after >= max(self.recover_after, 10)
        return number == max(self.days) or after >= self.recover_after

    def _row(self, number):
        breaks = self.good | self.bad & self.told_of
        since = max((each for each in breaks if each < number), default=-1)
        until = min((each for each in breaks if each > number), default=number + 10_000)
        return {each for each in self.bad - self.told_of if since < each < until}
