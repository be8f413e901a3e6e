"""What a notice is and who hears one: rules only, no machinery."""
