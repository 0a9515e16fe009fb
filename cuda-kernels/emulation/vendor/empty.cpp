// A library of which only its name is needed.
