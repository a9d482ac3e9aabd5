package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"

	"licensekit/auth"
)

//go:embed templates/*.html
var templateFiles embed.FS

// frame is what every page is made from.
type frame struct {
	Lang    string
	Nav     []section
	Path    string // of the request
	Key     *auth.Key
	CSRF    string // "" for who has not signed in
	Version string
	Data    any
}

// Current tells whether a section is the one that the page belongs to.
func (f frame) Current(s section) bool {
	return f.Path == s.Path || s.Path != home && strings.HasPrefix(f.Path, s.Path+"/")
}

// Can tells whether who signed in has a scope.
func (f frame) Can(scope string) bool { return f.Key != nil && f.Key.Allows(auth.Scope(scope)) }

// frame gives what a page is made from.
func (v *visit) frame(data any) frame {
	f := frame{Lang: v.locale.tag.String(), Path: v.r.URL.Path, Version: v.console.opts.Version, Nav: v.nav(), Data: data}
	if v.session != nil {
		f.Key, f.CSRF = &v.key, v.session.csrf
	}
	return f
}

// show answers with a page.
func (v *visit) show(status int, name string, data any) error {
	var text bytes.Buffer
	if err := v.locale.pages()[name].ExecuteTemplate(&text, "layout", v.frame(data)); err != nil {
		return fmt.Errorf("make page %s: %w", name, err)
	}
	v.w.Header().Set("Content-Length", strconv.Itoa(text.Len()))
	v.begin(status)
	if v.r.Method != http.MethodHead {
		v.w.Write(text.Bytes()) // the client is gone if this fails, and the log has the status
	}
	return nil
}

// begin sends the header of a page.
func (v *visit) begin(status int) {
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.locale.tag.String())
	v.w.WriteHeader(status)
}

// put sends a part of a page that comes piece by piece: the layout's "top", one
// of its own, or "bottom".
func (v *visit) put(page, part string, data any) error {
	return v.locale.pages()[page].ExecuteTemplate(v.w, part, data)
}

// parsePages reads the templates with the words of a locale: each page is the
// layout, the parts that pages share, and its own file.
func parsePages(l *locale) map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(functions(l)).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err) // they are embedded
	}
	pages := map[string]*template.Template{}
	for _, f := range files {
		name, _ := strings.CutSuffix(f.Name(), ".html")
		page := template.Must(shared.Clone())
		pages[name] = template.Must(page.ParseFS(templateFiles, path.Join("templates", f.Name())))
	}
	return pages
}

// functions are what templates call.
func functions(l *locale) template.FuncMap {
	return template.FuncMap{
		"t":         l.text,
		"number":    l.number,
		"size":      l.size,
		"instant":   l.instant,
		"moment":    l.moment,
		"exact":     l.exact,
		"date":      l.date,
		"label":     l.label,
		"narrowing": l.narrowing,
		"sentence":  sentence,
		"asset":     assetPath,
		"icon":      icon,
		"list":      list,
		"pair":      pair,
		"signed":    l.signed,
		"networks":  networks,
	}
}

// list gives a template several values to go through.
func list(values ...string) []string { return values }

// pair gives a part of a template two values.
func pair(a, b any) []any { return []any{a, b} }
