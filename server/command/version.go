package command

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"licensekit/exporter/render"
)

// build is what the program knows of itself.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source, where it was built from a checkout
	Modified bool   `json:"modified"`           // whether the source was changed since
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Cgo      bool   `json:"cgo"`
	MuPDF    string `json:"mupdf,omitempty"` // missing without cgo
	License  string `json:"license"`
	Note     string `json:"license_note"`
}

func (env *Env) build() build {
	b := build{
		Version: env.Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Cgo: render.MuPDF != "", MuPDF: render.MuPDF,
		License: "AGPL-3.0-only", Note: "free software without any warranty; licensekit licenses prints the licences of all that is linked in",
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (b build) String() string {
	text := fmt.Sprintf("licensekit %s, %s %s/%s, %s", b.Version, b.Go, b.OS, b.Arch, b.License)
	if b.MuPDF != "" {
		text += ", with MuPDF " + b.MuPDF
	} else {
		text += ", without MuPDF"
	}
	if b.Revision != "" {
		text += "\nrevision " + b.Revision
	}
	if b.Modified {
		text += ", modified"
	}
	return text + "\n" + b.Note
}

func (env *Env) version() *cli.Command {
	return &cli.Command{
		Name:        "version",
		Usage:       "print the version, and how it was built",
		Description: "   licensekit version --json\n\nExit codes: 0 done, 2 usage.",
		Flags:       []cli.Flag{jsonFlag},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if c.Bool("json") {
				return env.printJSON(env.build())
			}
			_, err := fmt.Fprintln(env.Stdout, env.build())
			return err
		},
	}
}
