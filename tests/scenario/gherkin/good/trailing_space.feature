Feature: f   
  words   
  Scenario: s	 
    Given a   
      | a |   
      """json  
      x  
      """  
   
