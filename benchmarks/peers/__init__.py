"""Other ways to do a part of what Ebb does, written as their own documentation would have them."""
