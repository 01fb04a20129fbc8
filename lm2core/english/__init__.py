"""Stories in open English, told of the worlds of lm2core.babi."""
