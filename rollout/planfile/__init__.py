"""From the text of a plan file to a Plan, or to findings with places."""
