"""What the log says and when it is whole: plain values and rules, without any technique."""
