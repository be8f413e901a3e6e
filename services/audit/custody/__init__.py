"""What those who answer for the log do with it: showing, exporting, checking, erasing, holding; and their door."""
