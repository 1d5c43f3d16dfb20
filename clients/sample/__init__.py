"""The sample day: made-up members, people and parcels, planted cases of known truth, and the day that replays them.

`plan.py` deals the cases, `members.py` makes the genesis, `day.py` replays, `score.py` compares result and truth.
"""
