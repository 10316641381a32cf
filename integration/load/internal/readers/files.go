package readers

import (
	"fmt"
	"slices"
	"syscall"
)

// What a process has open besides the connections.
const otherFiles = 200

// needFiles sees to it that each process may open as many files as it needs. Go
// raises the limit that a process starts with to the one that it may go to; a
// child may go as far as this process.
func needFiles(clients []int) error {
	// Shapegate and the relay may hold a request at Electric for each client, and the
	// tool has clients of two servers at once.
	need := uint64(2*slices.Max(clients) + otherFiles)
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		return fmt.Errorf("how many files may be open: %w", err)
	}
	if now.Cur >= need {
		return nil
	}
	more := syscall.Rlimit{Cur: need, Max: max(need, now.Max)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more); err != nil {
		return fmt.Errorf("%d clients need %d open files, and this process may have %d: raise it with ulimit -n %d, or measure at most %d clients",
			slices.Max(clients), need, now.Max, need, (now.Max-otherFiles)/2)
	}
	return nil
}
