"""The judge of Spinnaker's Kayenta by name: Mann–Whitney tests on values of intervals, groups, and a score.

Compatible with NetflixACAJudge-v1.0 (https://github.com/spinnaker/spinnaker, `kayenta/kayenta-judge`).
"""
