package mongotest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// buildTimeout is enough to download and compile all of FerretDB on a slow machine.
const buildTimeout = 15 * time.Minute

// build returns the FerretDB binary. It is built once for its sources and kept in the user's cache directory, or in
// that for temporary files.
var build = sync.OnceValues(func() (binary string, err error) {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("the path of the sources is not known (built with -trimpath?)")
	}
	module := filepath.Join(filepath.Dir(filepath.Dir(here)), "ferretdb")
	digest := sha256.New()
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		content, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", fmt.Errorf("FerretDB's module: %w", err)
		}
		digest.Write(content)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "leat-test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "ferretdb-"+hex.EncodeToString(digest.Sum(nil)[:8]))
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	unlock, err := lock(binary + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	return binary, compile(module, binary)
})

// compile builds beside the binary and renames, so that there is never half of one.
func compile(module, binary string) error {
	part := fmt.Sprintf("%s.%d", binary, os.Getpid())
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "go", "build", "-o", part, ".")
	command.Dir = module
	command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build FerretDB in %s: %w: %s", module, err, output)
	}
	return os.Rename(part, binary)
}
