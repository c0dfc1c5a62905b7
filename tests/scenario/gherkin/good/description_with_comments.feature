Feature: comments among words
  # before
  one
  # between
  two

  # after
  Scenario: s
    # below the heading
    words
    # more
    Given a device # not a comment
    # at the end
