package batch

import "context"

// Stage is one step of a chain. Run works on all items at once; it fails single items with Item.Fail, or all of
// them by returning an error. It must be safe to run again over items that it has seen before, and must
// return soon after the context ends.
type Stage[T any] interface {
	Name() string
	Run(ctx context.Context, items []*Item[T]) error
}
