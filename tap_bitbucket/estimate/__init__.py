"""What a pass will cost in requests and hours, told from the sizes of lists and a few requests."""
