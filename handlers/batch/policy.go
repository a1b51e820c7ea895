package batch

import "time"

// Config says how batches form.
type Config struct {
	Size    int           `config:"size" default:"500" min:"1" max:"10000" doc:"most messages that one batch takes"`
	Workers int           `config:"workers" default:"4" min:"1" max:"256" doc:"batches that run at the same time"`
	Linger  time.Duration `config:"linger" default:"0s" min:"0s" max:"1m" doc:"how long a batch that is not full waits for more; 0 takes what is there"`
}

// Policy is how an engine treats items of type T.
type Policy[T any] struct {
	Config
	// Key names what must not run concurrently; nil means that any items may.
	Key func(T) string
	// Observer is told what happened; nil is allowed.
	Observer Observer
}

// Observer watches an engine. Its methods are called by several workers at once and must not block.
type Observer interface {
	// StageDone is called after each run of a stage over some items. err is the one that the stage returned for all of
	// them, if it did.
	StageDone(stage string, items int, took time.Duration, err error)
	// BatchDone is called after a batch of which at least one item was decoded. err is nil unless a dependency was
	// unavailable to at least one of the items.
	BatchDone(items int, took time.Duration, err error)
}

type noObserver struct{}

func (noObserver) StageDone(string, int, time.Duration, error) {}
func (noObserver) BatchDone(int, time.Duration, error)         {}
