"""Days of referrals by the platform's own rules on a turned clock: what a policy would do before it does it."""
