"""The loop: observe, ask what is due, write it down, do it."""
