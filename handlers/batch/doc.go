// Package batch is the engine that every pipeline runs on. Watermill hands a handler one message at a time; the
// handler submits it here and waits for its outcome, while a few long-lived workers run the chain of stages
// over whole batches. So retry, poison and throttle stay per message, and stores see batches.
//
// Group commit: a free worker takes everything that has accumulated, up to Config.Size. Low load gives low latency, high
// load gives full batches, and no timer is involved unless Config.Linger asks for one.
//
// Outcomes: each item ends with its own. A stage fails one item, or, by returning an error, all that it was given. An error
// that is neither unavailable nor canceled is bisected: the stage runs again over each half until one item
// holds the fault, so one bad message never fails its neighbours. Stages must therefore be safe to run again
// over the same items. A panic in a stage is such an error.
//
// Order: none, unless the pipeline names a key; then items of one key never run at the same time.
package batch
