"""Intake takes referrals in, decides on consent, keeps identity sealed, and tells the source how they stand."""
