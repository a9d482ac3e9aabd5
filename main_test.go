package main

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/xuri/excelize/v2"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"licensekit": func() { os.Exit(run(os.Args)) },
	})
}

// TestScripts runs the stories in testdata/script: what people type, and what
// they see.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		WorkdirRoot:         workRoot(t),
		Setup: func(env *testscript.Env) error {
			root, err := os.Getwd()
			env.Setenv("ROOT", root)
			env.Setenv("NO_COLOR", "1")
			// A process under the race detector would wait a second before it ends.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return err
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"take":    take,
			"port":    port,
			"waitfor": waitFor,
			"shows":   shows,
			"code":    exitCode,
			"flip":    flip,
			"sheet":   sheet,
		},
	})
}

// workRoot is where scripts work. It is removed with all that is in it, also
// where only some of the scripts ran; -testwork keeps what they leave.
func workRoot(t *testing.T) string {
	if keep := flag.Lookup("testwork"); keep != nil && keep.Value.String() == "true" {
		return ""
	}
	return t.TempDir()
}

// condition knows what a script needs beyond Go: [have:curl], [namespaces],
// [ravenstack], [root].
// With CI=true a missing program is a failure, not a reason to skip.
func condition(name string) (bool, error) {
	if program, ok := strings.CutPrefix(name, "have:"); ok {
		_, err := exec.LookPath(program)
		if err != nil && os.Getenv("CI") == "true" {
			return false, fmt.Errorf("%s is not installed; apt-get install it", program)
		}
		return err == nil, nil
	}
	if name == "root" {
		return os.Geteuid() == 0, nil
	}
	if name == "namespaces" {
		out, err := exec.Command("unshare", "-rn", "true").CombinedOutput()
		if err != nil && os.Getenv("CI") == "true" {
			return false, fmt.Errorf("make a network namespace: %w: %s", err, out)
		}
		return err == nil, nil
	}
	if name == "ravenstack" {
		_, err := os.Stat("../shared/data/ravenstack/SHA256SUMS")
		return err == nil, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// take sets a variable to what a pattern's group matches in a file or stdout:
// take ID stdout 'id":"(\w+)'.
func take(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: take NAME FILE PATTERN")
	}
	found := regexp.MustCompile(args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) < 2 {
		ts.Fatalf("%s does not match %q", args[1], args[2])
	}
	ts.Setenv(args[0], found[1])
}

// port sets variables to free TCP ports of the loopback address.
func port(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		_, number, err := net.SplitHostPort(l.Addr().String())
		ts.Check(err)
		ts.Check(l.Close())
		ts.Setenv(name, number)
	}
}

// waitFor waits until a server answers at a URL.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	for range 2400 {
		resp, err := http.Get(args[0])
		if err == nil {
			resp.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("nothing answers at %s", args[0])
}

// shows waits until a file that a program writes matches a pattern.
func shows(ts *testscript.TestScript, neg bool, args []string) {
	pattern := regexp.MustCompile(args[1])
	for range 2400 {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && pattern.Match(text) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s does not come to show %q: %s", args[0], args[1], ts.ReadFile(args[0]))
}

// exitCode runs a command that must end with a code: code 2 licensekit ….
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want := args[0]; fmt.Sprint(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

// flip inverts a bit in the middle of a file: flip FROM TO.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	content := []byte(ts.ReadFile(args[0]))
	content[len(content)/2] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), content, 0o644))
}

// sheet adds a sheet with the rows of a CSV file to an XLSX file, which it
// makes if it is not there: sheet BOOK NAME FILE.
func sheet(ts *testscript.TestScript, neg bool, args []string) {
	rows, err := csv.NewReader(strings.NewReader(ts.ReadFile(args[2]))).ReadAll()
	ts.Check(err)
	path := ts.MkAbs(args[0])
	book, err := excelize.OpenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		book, err = excelize.NewFile(), nil
		ts.Check(book.SetSheetName("Sheet1", args[1]))
	}
	ts.Check(err)
	defer book.Close()
	_, err = book.NewSheet(args[1])
	ts.Check(err)
	for i, row := range rows {
		ts.Check(book.SetSheetRow(args[1], fmt.Sprintf("A%d", i+1), &row))
	}
	ts.Check(book.SaveAs(path))
}
