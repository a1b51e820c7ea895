// Package middleware is what stands between the router and a pipeline, one file each. The order is the router's
// to choose; outermost first it is observe, poison, breaker, retry, throttle, recover. All of them read the
// kind of an error from package fault, and those that wait give up as soon as the program drains.
package middleware
