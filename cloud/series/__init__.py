"""Series as people see them: operations that join stored ones, units, marks, verdicts.

An `operation` is what somebody said, `operations` holds all of them, `joined` is what they make of
the stored series, `units` how one becomes another. `marks` speak of intervals and `verdicts` of
episodes; they change nothing.
"""
