package command

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"licensekit/exporter/render"
	"licensekit/exporter/render/fonts"
)

// licenseTexts are the licence files of all modules that builds of this program
// link, under their paths, as LICENSE.txt and the like. A test keeps them.
//
//go:embed licenses
var licenseTexts embed.FS

// work is something that is linked in, and its licence.
type work struct {
	Name    string `json:"name"` // a module's path, or what it is called
	Version string `json:"version,omitempty"`
	Text    string `json:"text"`
}

// partTexts are the licences of what is compiled into MuPDF, by name. Its Go
// module has it as a library without them. Those of licensekit's own licence are
// only named, in mupdfNote; Gumbo's is that of a font.
//
//go:embed mupdf
var partTexts embed.FS

// mupdfNote is what there is to say of MuPDF itself.
const mupdfNote = `MuPDF is copyright Artifex Software, Inc. and licensed under the GNU Affero
General Public License, version 3, whose text is that of licensekit above. Its
source is at https://mupdf.com and https://github.com/ArtifexSoftware/mupdf.

Compiled into it under the same licence are extract and jbig2dec, copyright Artifex
Software, Inc., and the fonts Dingbats, Nimbus Mono, Nimbus Roman, Nimbus Sans and
Standard Symbols, copyright (URW)++. For the fonts an exception lets documents that
they are embedded in have any licence; its text is with their source, at
https://github.com/ArtifexSoftware/urw-base35-fonts.

Compiled into it under licences of their own, which follow: Adobe's CMaps, FreeType,
Gumbo, HarfBuzz, libjpeg, Little CMS, MuJS, OpenJPEG and zlib. This software is based
in part on the work of the Independent JPEG Group.
`

// gumboNote stands for the copyright notice of Gumbo.
const gumboNote = "Copyright 2010 Google Inc. Licensed under the Apache License, version 2.0.\n\n"

// swaggerNote stands for what github.com/swaggest/swgui has of Swagger UI.
const swaggerNote = `Swagger UI is copyright SmartBear Software Inc. and licensed under the Apache
License, version 2.0. Its source is at https://github.com/swagger-api/swagger-ui,
where the file dist/swagger-ui-bundle.js.LICENSE.txt names what is bundled into it.
`

// works lists what is linked in: this program first, then Go, its modules in
// the order of their paths, and what is no module.
func (env *Env) works() ([]work, error) {
	all := []work{{"licensekit", env.Version, env.License}}
	versions, known := linkedVersions()
	var modules []work
	err := fs.WalkDir(licenseTexts, "licenses", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := licenseTexts.ReadFile(file)
		name := strings.TrimPrefix(path.Dir(file), "licenses/")
		version, linked := versions[name]
		switch n := len(modules); {
		case err != nil || known && !linked:
		case n > 0 && modules[n-1].Name == name:
			modules[n-1].Text += "\n" + string(text)
		default:
			modules = append(modules, work{name, version, string(text)})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(modules, func(a, b work) int { return strings.Compare(a.Name, b.Name) })
	all = append(all, modules...)
	all = append(all, work{Name: "Swagger UI", Text: swaggerNote + "\n" + fonts.CJKLicense}) // the same licence
	all = append(all, work{Name: "WenQuanYi Micro Hei (font)", Version: "0.2.0-beta", Text: fonts.CJKNotice + "\n" + fonts.CJKLicense})
	if render.MuPDF == "" {
		return all, nil
	}
	parts, err := mupdfParts()
	return append(append(all, work{"MuPDF", render.MuPDF, mupdfNote}), parts...), err
}

// mupdfParts lists what is compiled into MuPDF under licences of its own.
func mupdfParts() ([]work, error) {
	all := []work{{Name: "Gumbo (in MuPDF)", Text: gumboNote + fonts.CJKLicense}} // the same licence
	files, err := fs.Glob(partTexts, "mupdf/*.txt")
	for _, file := range files {
		text, readErr := partTexts.ReadFile(file)
		err = errors.Join(err, readErr)
		all = append(all, work{Name: strings.TrimSuffix(path.Base(file), ".txt") + " (in MuPDF)", Text: string(text)})
	}
	slices.SortFunc(all, func(a, b work) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return all, err
}

// linkedVersions are the versions of Go and of the modules that are linked in;
// known is false where the program does not know these.
func linkedVersions() (versions map[string]string, known bool) {
	versions = map[string]string{"go": runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versions, false
	}
	for _, m := range info.Deps {
		versions[m.Path] = m.Version
		if m.Replace != nil {
			versions[m.Path] = m.Replace.Path + " " + m.Replace.Version
		}
	}
	return versions, len(info.Deps) > 0
}

func (env *Env) licenses() *cli.Command {
	return &cli.Command{
		Name:  "licenses",
		Usage: "print the licences of this program and of all that is linked into it",
		Description: "   licensekit licenses | less\n" +
			"   licensekit licenses --names\n\n" +
			"With --json a line for each: {\"name\",\"version\",\"text\"}.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "names", Usage: "only what there is, without the texts", EnvVars: []string{"LICENSEKIT_NAMES"}},
			jsonFlag,
		},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			all, err := env.works()
			if err != nil {
				return err
			}
			return env.printLicenses(c, all)
		},
	}
}

func (env *Env) printLicenses(c *cli.Context, all []work) error {
	switch {
	case c.Bool("json") && c.Bool("names"):
		return usage("--names is not for --json").hinted("leave one of them out")
	case c.Bool("json"):
		return printLines(env, all)
	case c.Bool("names"):
		t := env.table("NAME", "VERSION")
		for _, w := range all {
			t.row(w.Name, w.Version)
		}
		return t.print()
	}
	for i, w := range all {
		title := strings.TrimSpace(w.Name + " " + w.Version)
		if i > 0 {
			title = "\n" + title
		}
		if _, err := fmt.Fprintf(env.Stdout, "%s\n%s\n\n%s\n", title, strings.Repeat("=", 72), strings.TrimRight(w.Text, "\n")); err != nil {
			return err
		}
	}
	return nil
}
