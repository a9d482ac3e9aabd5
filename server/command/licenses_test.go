package command

import (
	"flag"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

// builds are those that there are, of which each may link modules that others
// don't.
var builds = [][]string{
	{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=1"}, {"GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0"},
	{"GOOS=darwin", "GOARCH=arm64", "CGO_ENABLED=0"}, {"GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0"},
}

var licenseFile = regexp.MustCompile(`^(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|PATENTS)`)

// linkedModules are the directories of the modules of all builds, and of Go, by
// path.
func linkedModules(t *testing.T) map[string]string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"go": strings.TrimSpace(string(root))}
	for _, build := range builds {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{{.Path}}={{.Dir}}{{end}}{{end}}`, "licensekit")
		cmd.Env = append(os.Environ(), build...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v", build, err)
		}
		for line := range strings.Lines(string(out)) {
			if name, dir, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
				all[name] = dir
			}
		}
	}
	return all
}

// Every module that is linked in has its licence files here, as they are in the
// module, and none is here that isn't.
func TestLicensesAreThere(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	modules := linkedModules(t)
	if len(modules) < 20 {
		t.Fatalf("go list names %d modules, want them all: %v", len(modules), modules)
	}
	for name, dir := range modules {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, entry := range entries {
			if entry.IsDir() || !licenseFile.MatchString(entry.Name()) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			found = true
			want["licenses/"+name+"/"+strings.TrimSuffix(entry.Name(), ".txt")+".txt"] = string(text)
		}
		if !found {
			t.Errorf("%s has no licence file in %s", name, dir)
		}
	}
	if *update {
		if err := os.RemoveAll("licenses"); err != nil {
			t.Fatal(err)
		}
		for file, text := range want {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		t.Skip("written; build again")
	}
	got := map[string]string{}
	err := fs.WalkDir(licenseTexts, "licenses", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := licenseTexts.ReadFile(file)
		got[file] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range slices.Sorted(maps.Keys(want)) {
		if text, ok := got[file]; !ok || text != want[file] {
			t.Errorf("%s: there %v, as the module has it %v; go test ./server/command -run TestLicensesAreThere -update mends it", file, ok, text == want[file])
		}
		delete(got, file)
	}
	for file := range got {
		t.Errorf("%s is of no module that is linked in", file)
	}
}

// The program itself comes first, and all that is no module is named.
func TestWorks(t *testing.T) {
	t.Parallel()
	env := &Env{Version: "v1", License: "the licence"}
	all, err := env.works()
	if err != nil {
		t.Fatal(err)
	}
	if got := all[0]; got != (work{"licensekit", "v1", "the licence"}) {
		t.Errorf("first comes %+v, want the program", got)
	}
	names := map[string]work{}
	for _, w := range all {
		if strings.TrimSpace(w.Text) == "" {
			t.Errorf("%s has no text", w.Name)
		}
		names[w.Name] = w
	}
	if got := names["go"].Version; got != runtime.Version() {
		t.Errorf("go is of version %q, want %q", got, runtime.Version())
	}
	if !strings.Contains(names["WenQuanYi Micro Hei (font)"].Text, "Apache License") {
		t.Error("the Chinese font has no licence")
	}
	if !strings.Contains(names["Swagger UI"].Text, "Apache License") {
		t.Error("Swagger UI has no licence")
	}
	if !strings.Contains(names["github.com/go-fonts/dejavu"].Text, "Bitstream") {
		t.Error("the DejaVu fonts have no licence")
	}
}

// What MuPDF's library is made of is named, with its licence; what it is not made
// of is not.
func TestPartsOfMuPDF(t *testing.T) {
	t.Parallel()
	parts, err := mupdfParts()
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, part := range parts {
		if len(part.Text) < 500 {
			t.Errorf("%s has the licence %q, want a whole one", part.Name, part.Text)
		}
		named[strings.TrimSuffix(part.Name, " (in MuPDF)")] = true
	}
	libraries, err := filepath.Glob(filepath.Join(linkedModules(t)["github.com/gen2brain/go-fitz"], "libs", "libmupdf*.a"))
	if err != nil || len(libraries) < 2 {
		t.Fatalf("the libraries of MuPDF are %v, %v", libraries, err)
	}
	var symbols []byte
	for _, library := range libraries {
		if !strings.Contains(library, runtime.GOOS+"_"+runtime.GOARCH) {
			continue
		}
		text, err := os.ReadFile(library)
		if err != nil {
			t.Fatal(err)
		}
		symbols = append(symbols, text...)
	}
	if symbols == nil {
		t.Skipf("there is no library of MuPDF for %s on %s", runtime.GOOS, runtime.GOARCH)
	}
	for symbol, part := range map[string]string{
		"FT_Init_FreeType": "FreeType", "hb_shape": "HarfBuzz", "cmsCreateTransform": "Little CMS", "jpeg_read_header": "libjpeg", "js_newstate": "MuJS",
		"opj_decode": "OpenJPEG", "inflateInit": "zlib", "gumbo_parse": "Gumbo", "cmap_UniJIS_UTF16_H": "Adobe CMaps",
		"BrotliDecoder": "Brotli", "TessBaseAPI": "Tesseract", "ZXing": "ZXing", "archive_read_open": "libarchive", "png_read_info": "libpng",
	} {
		if linked := strings.Contains(string(symbols), symbol); linked != named[part] {
			t.Errorf("%s is linked in: %v, named: %v", part, linked, named[part])
		}
		delete(named, part)
	}
	for part := range named {
		t.Errorf("%s is named, and this test does not know it", part)
	}
	for symbol, own := range map[string]string{"jbig2_ctx_new": "jbig2dec", "extract_begin": "extract", "NimbusRoman_Regular": "Nimbus Roman"} {
		if strings.Contains(string(symbols), symbol) != strings.Contains(mupdfNote, own) {
			t.Errorf("the note on MuPDF has %s: %v", own, strings.Contains(mupdfNote, own))
		}
	}
}
