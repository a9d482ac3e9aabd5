package render

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"time"

	"licensekit/exporter/render/pdffile"
	"licensekit/exporter/render/typeset"
)

// footText is what stands at the foot of a page: on the left the digest, and
// on the right the page.
func footText(info Info, page, pages int) (left, right string) {
	return "Data " + info.Digest.String(), fmt.Sprintf("Times are in UTC · Page %d of %d", page, pages)
}

// feet writes what stands at the foot of each page.
func (p *pages) feet() {
	const size = 6.8
	for i, page := range p.done {
		left, right := footText(p.info, i+1, len(p.done))
		p.width, p.height = page.width, page.height
		p.canvas.Begin(p.height)
		margin := tableMargin
		if i < p.summaryPages {
			margin = sideMargin
		}
		p.canvas.Rect(margin, p.height-36, p.width-2*margin, 0.5, hairline)
		p.text(margin, p.height-25, size, typeset.Regular, quiet, left)
		p.textRight(p.width-margin, p.height-25, size, typeset.Regular, quiet, right)
		p.file.AddStream(page.foot, "", p.canvas.Bytes())
	}
}

// finish writes what the pages have in common, and the attachment.
func (p *pages) finish(data io.Reader) error {
	if p.set.Full() {
		return &CapacityError{Format: "pdf", Problem: "it has more different characters than a font holds", Instead: "csv"}
	}
	p.feet()
	p.addTree()
	p.addFonts()
	stream := p.file.Announce()
	if err := p.file.CopyStream(stream, "/Type/EmbeddedFile/Subtype/application#2Fjson", data); err != nil {
		return err
	}
	attached := p.file.AddNew("<</Type/Filespec/F(%s)/UF(%s)/AFRelationship/Data/Desc(The data of this report in canonical JSON)/EF<</F %v/UF %v>>>>",
		pdfAttachment, pdfAttachment, stream, stream)
	title := strings.TrimSpace(heading(p.survey.document.Kind) + " " + p.info.ExportID)
	catalog := p.file.AddNew("<</Type/Catalog/Pages %v/Lang(en)/ViewerPreferences<</DisplayDocTitle true>>/PageMode/UseOutlines/Outlines %v/Names<</EmbeddedFiles<</Names[(%s)%v]>>>>/AF[%v]>>",
		p.tree, p.outline(), pdfAttachment, attached, attached)
	date := time.UnixMilli(p.info.FrozenAt).UTC().Format("D:20060102150405Z")
	info := p.file.AddNew("<</Title%s/Subject%s/Creator(licensekit)/Producer(licensekit)/CreationDate(%s)/ModDate(%s)>>",
		pdffile.Text(title), pdffile.Text(period(p.survey.document.Filters)), date, date)
	return p.file.Finish(catalog, info, p.id())
}

// addTree writes the tree of pages: a root, branches, and the pages as leaves.
func (p *pages) addTree() {
	left := p.done
	for _, branch := range p.branches {
		n := min(len(left), pagesPerBranch)
		var kids strings.Builder
		for _, page := range left[:n] {
			fmt.Fprintf(&kids, "%v ", page.page)
		}
		p.file.Add(branch, "<</Type/Pages/Parent %v/Count %d/Kids[%s]>>", p.tree, n, kids.String())
		left = left[n:]
	}
	var branches strings.Builder
	for _, branch := range p.branches {
		fmt.Fprintf(&branches, "%v ", branch)
	}
	p.file.Add(p.tree, "<</Type/Pages/Count %d/Kids[%s]>>", len(p.done), branches.String())
}

// id is the file's identifier: equal for equal reports with equal infos.
func (p *pages) id() (id [16]byte) {
	named := p.info
	named.Canonical = nil
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", named))
	copy(id[:], sum[:])
	return id
}

func (p *pages) addFonts() {
	var names strings.Builder
	for i, used := range p.set.Fonts() {
		if used != nil {
			font := p.file.Announce()
			p.file.AddFont(font, used)
			fmt.Fprintf(&names, "/F%d %v", i, font)
		}
	}
	p.file.Add(p.fonts, "<<%s>>", names.String())
}

// outline writes the bookmarks, all on one level.
func (p *pages) outline() pdffile.Ref {
	root := p.file.Announce()
	refs := make([]pdffile.Ref, len(p.bookmarks))
	for i := range refs {
		refs[i] = p.file.Announce()
	}
	for i, b := range p.bookmarks {
		var beside string
		if i > 0 {
			beside += fmt.Sprintf("/Prev %v", refs[i-1])
		}
		if i+1 < len(refs) {
			beside += fmt.Sprintf("/Next %v", refs[i+1])
		}
		p.file.Add(refs[i], "<</Title%s/Parent %v%s/Dest[%v/XYZ 0 %.2f 0]>>", pdffile.Text(b.title), root, beside, p.done[b.page].page, b.top)
	}
	p.file.Add(root, "<</Type/Outlines/Count %d/First %v/Last %v>>", len(refs), refs[0], refs[len(refs)-1])
	return root
}
