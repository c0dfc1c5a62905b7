Feature: escapes
  Scenario: s
    Given quotes
      """
      a \"\"\" b \"\"\" c
      \`\`\`
      """
    And backticks
      ```
      a \`\`\` b
      \"\"\"
      ```
