// Command standins is what compose/try puts in the place of images that cannot be pulled:
//
//	standins electric [FILE] Electric on :3000, in memory, with the demo's rows or those of a
//	                         file of SQL
//	standins modules FOLDER  a Go module proxy of what FOLDER has (GOMODCACHE/cache/download);
//	                         it prints its address first
//
// The first does not read the Postgres of the stack.
package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/schema/demo"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "standins:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) > 0 && args[0] == "electric":
		sql := demo.SQL
		if len(args) > 1 {
			text, err := os.ReadFile(args[1])
			if err != nil {
				return err
			}
			sql = string(text)
		}
		tables := electrictest.New(electrictest.Options{})
		defer tables.Close()
		if _, err := tables.Exec(sql); err != nil {
			return err
		}
		return serve(":3000", tables)
	case len(args) == 2 && args[0] == "modules":
		return serve("127.0.0.1:0", http.FileServer(http.Dir(args[1])))
	}
	return errors.New("say electric [FILE], or modules FOLDER")
}

func serve(address string, h http.Handler) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	return server.Serve(l)
}
