package command

// isOwn does not ask: what one user makes in a directory, others that may use it
// can use too.
func isOwn(string) (bool, error) { return true, nil }
