package gtm
