not a feature
at all
