"""What makes masks better that a network has made: stages, each of which can follow another."""
