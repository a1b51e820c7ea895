package app

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows on a terminal how much of some input is done; elsewhere it shows nothing.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress returns a bar for size bytes; -1 means that nobody knows how many there are.
func newProgress(out io.Writer, doing string, size int64) progress {
	if !isTerminal(out) {
		return progress{}
	}
	return progress{progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetDescription(doing),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowTotalBytes(true),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // no goroutine of its own
		progressbar.OptionClearOnFinish(),
	)}
}

// at says how many bytes are done.
func (p progress) at(done int64) {
	if p.bar != nil {
		_ = p.bar.Set64(done)
	}
}

// clear makes room for other lines; the next at shows the bar again.
func (p progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
