"""The commands, a file for each chapter of the story. A body calls its lifecycle verb and names its view."""
