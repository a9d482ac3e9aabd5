// Licensekit keeps the licensing and usage data of a small software vendor and
// freezes reports of it into artifacts that never change and that anyone can
// prove genuine offline. See README.md, or licensekit --help.
package main

import (
	"context"
	"embed"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // days of reports follow time zones, on machines without a database of them too

	"licensekit/server/command"
)

//go:embed testdata/sample/*.csv
var samples embed.FS

//go:embed LICENSE
var license string

// version is set when a release is built; see the README.
var version = ""

func main() {
	tuneMemory()
	os.Exit(run(os.Args))
}

// tuneMemory trades idle memory for speed: work here makes much short-lived
// garbage around a small live heap, so it is collected less often than by
// default, and oftener again where that would take the process past 200 MiB.
// GOGC and GOMEMLIMIT, where set, go before.
func tuneMemory() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(300)
		debug.SetMemoryLimit(200 << 20)
	}
}

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	files, err := fs.Sub(samples, "testdata/sample")
	if err != nil {
		panic(err) // the path is a constant
	}
	env := command.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Samples: files, Version: versionName(), License: license}
	return command.Run(ctx, env, args)
}

// versionName is the release's version, or what the build knows of the module.
func versionName() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
