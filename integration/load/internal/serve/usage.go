package serve

import (
	"encoding/json"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/usage"
)

// serveUsage answers with what this process takes. With gc=1 it lets go of all
// that it does not need first.
func serveUsage(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("gc") != "" {
		runtime.GC() // what finalizers and pools hold goes with the second
		debug.FreeOSMemory()
	}
	u, err := read()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(u)
}

func read() (usage.Usage, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return usage.Usage{}, err
	}
	rss, err := resident()
	return usage.Usage{
		Heap: float64(m.HeapInuse), Stack: float64(m.StackInuse), RSS: rss,
		CPU: seconds(ru.Utime) + seconds(ru.Stime),
	}, err
}

func seconds(t syscall.Timeval) float64 {
	return (time.Duration(t.Sec)*time.Second + time.Duration(t.Usec)*time.Microsecond).Seconds()
}

// resident is the memory of this process that is in RAM, in bytes.
func resident() (float64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), " ")
	pages, _, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseFloat(pages, 64)
	return n * float64(os.Getpagesize()), err
}
