"""What a referral is and what may happen to it; standard library and the one error only."""
