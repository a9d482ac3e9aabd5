package exporter

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string // by itself
	Deps       []string // by all that it imports, and so on
}

// rule forbids packages to import others, by themselves or, if deep, at all. A
// path that ends with /... stands for the packages below it too.
type rule struct {
	from, to, except []string
	deep             bool
	why              string
}

// verifying is what verification is made of.
var verifying = []string{
	"licensekit/exporter/evidence/...", "licensekit/exporter/render/...", "licensekit/exporter/report/...", "licensekit/exporter/rfc4180/...",
}

// network is what opens sockets, in the standard library.
var network = []string{"net", "net/http/...", "net/rpc/...", "net/smtp", "crypto/tls", "log/syslog"}

// offline are packages that verification needs and that import the network,
// with the reason for which they open no socket there.
var offline = map[string]string{
	"crypto/x509":                 "addresses in certificates are of package net's types",
	"github.com/xuri/excelize/v2": "a background picture's type is told by net/http's DetectContentType",

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/primitives": "fetches images of pages that are made from JSON; pages are only read here",
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/sign":       "asks whether a PDF's own signatures were revoked; none is looked at here",
}

// rules are the directions of imports: main -> server -> exporter -> its
// packages, and server -> auth, blobstore.
var rules = []rule{
	{
		from: []string{"licensekit"}, to: []string{"licensekit/..."}, except: []string{"licensekit/server/..."},
		why: "main starts the server's commands and knows nothing else",
	}, {
		from: []string{"licensekit/exporter/..."}, to: []string{"licensekit/server/...", "licensekit/auth/..."}, deep: true,
		why: "an export knows neither of requests nor of who may send them",
	}, {
		from: []string{"licensekit/exporter/...", "licensekit/blobstore/..."}, to: network,
		why: "only the server speaks to the network",
	}, {
		from: []string{"licensekit/exporter/..."},
		to:   []string{"licensekit/exporter"},
		deep: true,
		why:  "the exporter's packages stand below it",
	}, {
		from: []string{"licensekit/exporter/ledger/..."}, to: []string{"licensekit/exporter/evidence", "licensekit/exporter/render/...", "licensekit/blobstore"}, deep: true,
		why: "the ledger knows facts, not what is frozen of them",
	}, {
		from: []string{"licensekit/auth/..."}, to: []string{"licensekit/...", "net/http"}, except: []string{"licensekit/auth/...", "licensekit/exporter/audit", "licensekit/exporter/sealed"}, deep: true,
		why: "who may do what is settled without HTTP",
	}, {
		from: []string{"licensekit/blobstore/..."}, to: []string{"licensekit/..."}, except: []string{"licensekit/blobstore/..."}, deep: true,
		why: "a store of files stands alone",
	}, {
		from: []string{"licensekit/server"}, to: []string{"licensekit/server/command", "licensekit/server/client"}, deep: true,
		why: "the commands and their client are the server's callers",
	}, {
		from: []string{"licensekit/server/console"}, to: []string{"licensekit/server", "licensekit/server/command"}, deep: true,
		why: "the console asks the API, as every client does",
	}, {
		from: []string{"licensekit/server/webhook"}, to: []string{"licensekit/..."}, except: []string{"licensekit/exporter/audit", "licensekit/exporter/sealed"}, deep: true,
		why: "who is told of events needs to know nothing else",
	}, {
		from: []string{"licensekit/server/schedule"}, to: []string{"licensekit/server/...", "licensekit/auth/...", "net/http"}, except: []string{"licensekit/server/schedule"},
		why: "the clock sends no requests",
	}, {
		from: verifying, to: []string{"go.etcd.io/bbolt/...", "licensekit/server/...", "licensekit/exporter", "licensekit/exporter/ledger/...", "licensekit/auth/...", "licensekit/blobstore/..."}, deep: true,
		why: "verification needs neither database nor server",
	},
}

// covers tells whether a package is among those that patterns name.
func covers(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		parent, below := strings.CutSuffix(pattern, "/...")
		return path == parent || below && strings.HasPrefix(path, parent+"/")
	})
}

// broken lists what packages import against the rules.
func broken(packages []listed, rules []rule) (found []string) {
	for _, r := range rules {
		for _, p := range packages {
			if !covers(r.from, p.ImportPath) {
				continue
			}
			imported := p.Imports
			if r.deep {
				imported = p.Deps
			}
			for _, path := range imported {
				if covers(r.to, path) && !covers(r.except, path) && path != p.ImportPath {
					found = append(found, p.ImportPath+" imports "+path+", but "+r.why)
				}
			}
		}
	}
	return found
}

// listAll asks go list about every package of the module and all they need.
func listAll(t *testing.T) (packages []listed) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Standard,Imports,Deps", "licensekit/...")
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd, err, problems.String())
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImportDirections(t *testing.T) {
	t.Parallel()
	packages := listAll(t)
	for _, violation := range broken(packages, rules) {
		t.Error(violation)
	}
	for _, r := range rules {
		for _, from := range r.from {
			if !slices.ContainsFunc(packages, func(p listed) bool { return covers([]string{from}, p.ImportPath) }) {
				t.Errorf("no package is %s, of which a rule speaks: %s", from, r.why)
			}
		}
	}
}

// Nothing in verification opens a socket. What brings the network along all the
// same is known, with the reason why it is harmless.
func TestVerificationHasNoNetwork(t *testing.T) {
	t.Parallel()
	packages := listAll(t)
	needed := map[string]bool{}
	for _, p := range packages {
		if covers(verifying, p.ImportPath) {
			for _, path := range append(p.Deps, p.ImportPath) {
				needed[path] = true
			}
		}
	}
	if !needed["crypto/x509"] {
		t.Errorf("verification needs %d packages without crypto/x509, want it among them", len(needed))
	}
	for _, p := range packages {
		itself := covers(network, p.ImportPath) || p.Standard && strings.Contains(p.ImportPath, "net/")
		if !needed[p.ImportPath] || itself || offline[p.ImportPath] != "" {
			continue
		}
		for _, path := range p.Imports {
			if covers(network, path) {
				t.Errorf("verification needs %s, which imports %s, and nobody has said why it opens no socket", p.ImportPath, path)
			}
		}
	}
}

// A rule that can't be broken would prove nothing.
func TestBrokenDirectionsAreFound(t *testing.T) {
	t.Parallel()
	packages := []listed{
		{ImportPath: "licensekit", Imports: []string{"fmt", "licensekit/server/command", "licensekit/auth"}},
		{ImportPath: "licensekit/auth", Deps: []string{"licensekit/exporter/sealed", "licensekit/exporter/report"}},
		{ImportPath: "licensekit/exporter/ledger", Deps: []string{"licensekit/server", "licensekit/exporter"}},
		{ImportPath: "licensekit/exporter/report", Deps: []string{"go.etcd.io/bbolt/errors"}},
		{ImportPath: "licensekit/exported", Deps: []string{"licensekit/server"}},
	}
	got := broken(packages, rules)
	want := []string{
		"licensekit imports licensekit/auth,",
		"licensekit/auth imports licensekit/exporter/report,",
		"licensekit/exporter/ledger imports licensekit/exporter,",
		"licensekit/exporter/ledger imports licensekit/server,",
		"licensekit/exporter/report imports go.etcd.io/bbolt/errors,",
	}
	slices.Sort(got)
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("broken rules:\ngot  %q\nwant %q", got, want)
	}
}
