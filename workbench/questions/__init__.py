"""Each question's answer: the frames, what is done with values that are masked, files to write, timelines to read."""
