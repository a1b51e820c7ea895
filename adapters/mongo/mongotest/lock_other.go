//go:build !unix

package mongotest

// lock does nothing: at worst, several packages build at once.
func lock(string) (unlock func(), err error) { return func() {}, nil }
