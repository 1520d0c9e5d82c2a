package fs

import (
	"slices"
	"testing"
)

func TestMountsOf(t *testing.T) {
	const list = `22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
40 22 0:39 / /mnt/old ro - fuse.datfs datfs:/backup/my\040repo ro,user_id=0
41 22 0:40 / /mnt/other ro - fuse.datfs datfs:/backup/repo ro
42 22 0:41 / /mnt/sshfs rw - fuse.sshfs datfs:/backup/my\040repo rw
43 22 0:42 / /mnt/a\040b ro shared:7 - fuse.datfs datfs:/backup/my\040repo ro
44 22 0:43 / /mnt/short ro - fuse.datfs
`
	for repo, want := range map[string][]string{
		"/backup/my repo": {"/mnt/a b", "/mnt/old"},
		"/backup/repo":    {"/mnt/other"},
		"/backup":         nil,
	} {
		if got := mountsOf(list, repo); !slices.Equal(got, want) {
			t.Errorf("%s is mounted at %q, want %q", repo, got, want)
		}
	}
}
