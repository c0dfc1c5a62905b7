Feature: doc strings
  Scenario: quotes
    Given text
      """
      first
        indented
      """
    And media type
      """application/json
      {"a": 1}
      """
    And a spaced media type
      """   text/plain; charset=utf-8   
      x
      """
    And empty
      """
      """
    And blank lines

      """

      a

      """
    And less indent than its sign
      """
    less
  even less
        more
none
      """
    And words behind the closing sign
      """
      a
      """ ignored
  Scenario: backticks
    Given text
      ```
      """ inside
      ```
    And media type
      ```http
      GET /v1 HTTP/1.1
      ```
