"""Sequential statistics as pure functions of counts; standard library only."""
