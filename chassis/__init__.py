"""How any Kindred service runs; nothing in here knows what a referral is."""
