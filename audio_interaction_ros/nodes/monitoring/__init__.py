"""What monitor_node is made of: messages as events of the page, diagnostics as reasons."""
